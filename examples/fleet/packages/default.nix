# The programs of this fleet. Versions live side by side: a host may have several.
{ mkPackage }:
let
  greeter =
    version:
    mkPackage {
      name = "greeter-${version}";
      env.script_version = version;
      script = ''
        mkdir -p "$out/bin"
        printf '#!%s sh\necho "greeter %s: $*"\n' "$busybox" "$script_version" > "$out/bin/greeter-$script_version"
        chmod +x "$out/bin/greeter-$script_version"
      '';
    };
in
{
  greeter = {
    "1.0" = greeter "1.0";
    "1.1" = greeter "1.1";
    "2.0" = greeter "2.0";
  };
}
