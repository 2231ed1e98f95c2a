# Somebody whom Varve deploys as without being root: with sudo, and trusted by Nix to bring closures that nobody signed.
{ name, key }:
{
  groups.${name} = { };
  users.${name} = {
    group = name;
    home = "/home/${name}";
    createHome = true;
    shell = "/bin/sh";
    description = "Deploys";
    authorizedKeys = [ key ];
  };
  etc."sudoers.d/${name}" = {
    # A copy: sudo wants a file that nobody else may read.
    mode = "0440";
    text = ''
      ${name} ALL=(root) NOPASSWD: /bin/sh
    '';
  };
  nix.trustedUsers = [ name ];

  # Who is not root talks to the store through the daemon, which NixOS always has.
  units."nix-daemon.service" = {
    wantedBy = [ "multi-user.target" ];
    text = ''
      [Unit]
      Description=Nix daemon

      [Service]
      ExecStart=/run/current-system/sw/bin/nix-daemon
      KillMode=process
    '';
  };
}
