# What the options under `faults` come to, as a module. Where nature offers a way to fail it is used: a unit that fails, an
# activation step that fails. The rest is a hook at a named point of switch-to-configuration.
faults:
let
  when = condition: value: if condition then value else { };
  known = [
    null
    1
    2
    4
    11
    100
    101
    "killed"
    "hangs"
  ];
in
assert builtins.elem faults.switch known || throw "faults.switch has no such value";
{
  imports = [
    (when (faults.switch == 1) { preSwitchChecks.fault = "echo 'refused on purpose' >&2; false"; })
    (when (faults.switch == 2) { activation.fault = "echo 'failing on purpose' >&2; false"; })
    (when (faults.switch == 4 || faults.unit == "fails") {
      units."fault.service" = {
        wantedBy = [ "multi-user.target" ];
        text = ''
          [Unit]
          Description=A unit that fails

          [Service]
          Type=oneshot
          ExecStart=/run/current-system/sw/bin/false
        '';
      };
    })
    (when (faults.switch == 100) { system.initInterfaceVersion = "another init"; })
    (when (faults.sshd == "stopped") { sshd.enable = false; })
    (when (faults.sshd == "misconfigured") { sshd.extraConfig = "ThisIsNoOption yes\n"; })
    (when faults.network { network.up = false; })
    (when (faults.sshdBounce != null) {
      units."sshd-bounce.service" = {
        wantedBy = [ "multi-user.target" ];
        text = ''
          [Unit]
          Description=Takes sshd away for some seconds

          [Service]
          Type=exec
          Environment=PATH=/run/current-system/sw/bin
          ExecStart=/bin/sh -c "systemctl stop sshd.service; sleep ${toString faults.sshdBounce}; systemctl start sshd.service"
        '';
      };
    })
    (when (faults.unit == "loops" || faults.unit == "fails-later") {
      units."fault.service" = {
        wantedBy = [ "multi-user.target" ];
        text = ''
          [Unit]
          Description=A unit that dies again and again
          StartLimitIntervalSec=0

          [Service]
          Restart=${if faults.unit == "loops" then "always" else "no"}
          RestartSec=100ms
          Environment=PATH=/run/current-system/sw/bin
          ExecStart=/bin/sh -c "sleep ${if faults.unit == "loops" then "1" else "3"}; exit 1"
        '';
      };
    })
  ];
}
