# A web service that says which greeter it runs: GET / and GET /health. It counts its starts in /var/lib/web.
{ packages, lib }:
{
  greeter,
  text ? "hello",
  port ? 8080,
}:
let
  program = packages.greeter.${greeter};
  pages = lib.mkPackage {
    name = "web-pages";
    env = { inherit program text; };
    script = ''
      mkdir -p "$out"
      for greeter in "$program"/bin/greeter-*; do "$greeter" "$text" > "$out/index.html"; done
      echo ok > "$out/health"
    '';
  };
in
{
  packages = [ program ];
  groups.web = { };
  users.web = {
    group = "web";
    home = "/var/lib/web";
    description = "The web service";
  };
  units."web.service" = {
    wantedBy = [ "multi-user.target" ];
    text = ''
      [Unit]
      Description=The web service
      After=network.service

      [Service]
      User=web
      Group=web
      StateDirectory=web
      ExecStartPre=/bin/sh -c "echo started >> /var/lib/web/starts"
      ExecStart=${lib.busybox}/bin/busybox httpd -f -p ${toString port} -h ${pages}
      Restart=on-failure
      RestartSec=1s
    '';
  };
}
