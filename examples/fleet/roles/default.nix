# Roles: what hosts are composed of. `base` is a module, the others are functions that give one.
{ packages, lib }:
{
  base = import ./base.nix { };
  web = import ./web.nix { inherit packages lib; };
  batch = import ./batch.nix { inherit packages; };
  motd = import ./motd.nix;
  sshUser = import ./ssh-user.nix;
  deployUser = import ./deploy-user.nix;
}
