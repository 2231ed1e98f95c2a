# One small derivation: a shell script that busybox runs, with every applet of busybox at hand.
{ busybox, system }:
{
  name,
  script,
  env ? { },
}:
derivation (
  env
  // {
    inherit name script system;
    builder = "${busybox}/bin/busybox";
    args = [
      "sh"
      "-eu"
      (builtins.toFile "builder.sh" ''
        . "$scriptPath"
      '')
    ];
    busybox = "${busybox}/bin/busybox";
    # The script of a large system does not fit into an environment variable.
    passAsFile = [ "script" ];
  }
)
