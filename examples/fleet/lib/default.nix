# All that the fleet needs in place of nixpkgs' lib, stdenv and module system.
{ busyboxFolder }:
let
  text = import ./text.nix;
  busybox =
    if builtins.pathExists (busyboxFolder + "/bin/busybox") then
      builtins.path {
        path = busyboxFolder;
        name = "busybox-static";
      }
    else
      throw "bb/bin/busybox is missing: copy a statically linked busybox there (Debian's package busybox-static has one)";
  # The machines are of the kind that busybox is for.
  system =
    if builtins.pathExists (busyboxFolder + "/system") then
      builtins.readFile (busyboxFolder + "/system")
    else
      "x86_64-linux";
  mkPackage = import ./package.nix { inherit busybox system; };
  merge = import ./merge.nix;
in
text
// {
  inherit busybox mkPackage;
  inherit (merge) mergeAll;
  mkSystem = import ./system.nix { inherit busybox mkPackage merge text; };
}
