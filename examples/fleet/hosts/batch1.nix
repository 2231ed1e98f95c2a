{ packages, roles, ... }:
{
  imports = [
    (roles.batch { greeter = "2.0"; })
    (roles.motd "batch1 works at night")
    (roles.sshUser {
      name = "ada";
      key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFkYSdzIGtleSwgd2hpY2ggZG9lcyBub3QgZXhpc3Qh ada@example";
    })
  ];
  # The older greeter lives next to the one that the batch job uses.
  packages = [ packages.greeter."1.0" ];
}
