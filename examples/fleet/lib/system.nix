# A host's whole system from its modules, with NixOS's names: config.system.build.toplevel.
{
  busybox,
  mkPackage,
  merge,
  text,
}:
{
  name,
  modules,
  args ? { },
  isSpecialisation ? false,
}@system:
let
  moduleArgs = args // {
    inherit config name;
  };
  chosen = merge.mergeAll {
    args = moduleArgs;
    modules = [ (import ./defaults.nix { inherit text; }) ] ++ modules;
    defaults = import ./options.nix;
  };
  # Faults come last and win: they exist to break what the modules say.
  config = merge.override chosen (merge.resolve moduleArgs (import ./faults.nix chosen.faults));

  etc = import ./etc.nix { inherit config mkPackage text; };
  sw = import ./sw.nix { inherit busybox config mkPackage; };
  # A variant has none of its own.
  specialisations =
    if isSpecialisation then
      { }
    else
      builtins.mapAttrs (
        _: module:
        (import ./system.nix { inherit busybox mkPackage merge text; } (
          system
          // {
            modules = modules ++ [ module ];
            isSpecialisation = true;
          }
        )).config.system.build.toplevel
      ) config.specialisation;
  toplevel = import ./toplevel.nix {
    inherit
      config
      etc
      mkPackage
      name
      specialisations
      sw
      text
      ;
  };
in
{
  config = config // {
    system = config.system // {
      build = {
        inherit etc sw toplevel;
      };
    };
  };
}
