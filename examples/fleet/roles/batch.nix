# A job that a timer runs. It writes a line per run to /var/lib/batch.
{ packages }:
{
  greeter,
  every ? "1h",
}:
let
  program = packages.greeter.${greeter};
in
{
  packages = [ program ];
  groups.batch = { };
  users.batch = {
    group = "batch";
    home = "/var/lib/batch";
    description = "The batch job";
  };
  units."batch.service".text = ''
    [Unit]
    Description=The batch job

    [Service]
    Type=oneshot
    User=batch
    Group=batch
    StateDirectory=batch
    ExecStart=/bin/sh -c "${program}/bin/greeter-${greeter} batch >> /var/lib/batch/runs"
  '';
  units."batch.timer" = {
    wantedBy = [ "timers.target" ];
    text = ''
      [Unit]
      Description=Runs the batch job

      [Timer]
      OnActiveSec=1s
      OnUnitActiveSec=${every}
      AccuracySec=1s
    '';
  };
}
