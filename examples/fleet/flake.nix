{
  description = "An example fleet that needs neither nixpkgs nor a network";

  outputs =
    { self }:
    let
      lib = import ./lib { busyboxFolder = ./bb; };
      packages = import ./packages { inherit (lib) mkPackage; };
      roles = import ./roles { inherit packages lib; };

      # Every file in hosts/ is a host of that name.
      hostNames = map (lib.removeSuffix ".nix") (
        builtins.filter (lib.hasSuffix ".nix") (builtins.attrNames (builtins.readDir ./hosts))
      );

      mkHost =
        name:
        lib.mkSystem {
          inherit name;
          modules = [
            roles.base
            (import (./hosts + "/${name}.nix"))
          ];
          args = { inherit roles packages; };
        };
    in
    {
      nixosConfigurations = builtins.listToAttrs (
        map (name: {
          inherit name;
          value = mkHost name;
        }) hostNames
      );

      # What a machine runs before it was ever deployed to: sshd, and nothing else. Its own state (~/.ssh/authorized_keys)
      # says who may log in.
      genesis = lib.mkSystem {
        name = "genesis";
        modules = [ { sshd.authorizedKeysFiles = [ ".ssh/authorized_keys" ]; } ];
        args = { inherit roles packages; };
      };
    };
}
