# The toplevel: one store path that is the whole system, laid out as NixOS lays it out.
{
  config,
  etc,
  mkPackage,
  name,
  specialisations,
  sw,
  text,
}:
let
  inherit (config) system;
  inherit (text) quote lines;
  optional = attrs: key: toString (attrs.${key} or "");

  # What would be large in a real system: files of their own, so that their paths change only when they do.
  part = file: content: builtins.toFile file (content + "\n");

  users = lines (
    map (
      group:
      "group:${group}:${optional config.groups.${group} "gid"}:${
        builtins.concatStringsSep "," (config.groups.${group}.members or [ ])
      }"
    ) (builtins.attrNames config.groups)
    ++ map (
      user:
      let
        it = config.users.${user};
      in
      "user:${user}:${optional it "uid"}:${it.group or "users"}:${it.description or ""}:${it.home or "/var/empty"}:${
        it.shell or "/usr/sbin/nologin"
      }:${if it.createHome or false then "yes" else "no"}"
    ) (builtins.attrNames config.users)
  );

  steps =
    attrs:
    text.concatMap (step: ''
      step ${quote step} <<'END-OF-STEP'
      ${attrs.${step}}
      END-OF-STEP
    '') (builtins.attrNames attrs);

  script =
    file:
    builtins.path {
      path = ./scripts + "/${file}";
      name = file;
    };

  switchFault =
    if config.faults.switch == 11 then
      "locked"
    else if config.faults.switch == 101 then
      "panics"
    else if builtins.isString config.faults.switch then
      config.faults.switch
    else
      "none";
in
mkPackage {
  name = "nixos-system-${name}-${system.version}";
  env = {
    inherit etc sw;
    specialisations = builtins.concatStringsSep " " (
      map (variant: "${variant}=${specialisations.${variant}}") (builtins.attrNames specialisations)
    );
    kernelFile = part "linux-${system.kernel}" "the kernel ${system.kernel}";
    initrdFile = part "initrd-linux-${system.kernel}" "the initial RAM disk of ${system.kernel}";
    modulesFile = part "linux-${system.kernel}-modules" "the modules of ${system.kernel}";
    systemdFile = part "systemd-${system.systemd}" "systemd ${system.systemd}";
    activateScript = script "activate.sh";
    initScript = script "init.sh";
    switchScript = script "switch-to-configuration.sh";
    bootLoaderScript = script "install-boot-loader.sh";
    updateUsersScript = script "update-users.sh";
    runStepsScript = script "run-steps.sh";
  };
  script = ''
    ${if config.faults.build then "echo 'this system cannot be built, on purpose' >&2; exit 1" else ""}
    mkdir -p "$out/bin"
    ln -s "$etc/etc" "$out/etc"
    ln -s "$etc/copies" "$out/etc-copies"
    ln -s "$sw" "$out/sw"
    mkdir "$out/specialisation"
    for variant in $specialisations; do ln -s "''${variant#*=}" "$out/specialisation/''${variant%%=*}"; done
    ln -s "$kernelFile" "$out/kernel"
    ln -s "$initrdFile" "$out/initrd"
    ln -s "$modulesFile" "$out/kernel-modules"
    ln -s "$systemdFile" "$out/systemd"
    printf %s ${quote (builtins.concatStringsSep " " system.kernelParams)} > "$out/kernel-params"
    printf %s ${quote system.initInterfaceVersion} > "$out/init-interface-version"
    printf %s ${quote (if system.label == "" then system.version else "${system.version}-${system.label}")} > "$out/nixos-version"
    printf %s ${quote (builtins.toJSON system.switchInhibitors)} > "$out/switch-inhibitors"
    printf %s "$system" > "$out/system"
    printf %s ${quote users} > "$out/users"
    printf %s ${quote (steps config.activation)} > "$out/activation-steps"
    printf %s ${quote (steps config.preSwitchChecks)} > "$out/pre-switch-checks"

    place() {
      sed -e "s|@out@|$out|g" -e "s|@shell@|$busybox|g" -e "s|@path@|$sw/bin|g" \
        -e "s|@switchFault@|${switchFault}|g" -e "s|@bootLoaderFails@|${
          if system.bootLoaderFails then "yes" else "no"
        }|g" "$1" > "$out/$2"
      chmod +x "$out/$2"
    }
    place "$activateScript" activate
    place "$initScript" init
    place "$switchScript" bin/switch-to-configuration
    place "$bootLoaderScript" install-boot-loader
    place "$updateUsersScript" update-users
    place "$runStepsScript" run-steps
  '';
}
