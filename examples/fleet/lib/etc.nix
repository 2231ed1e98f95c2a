# etc/: the files below /etc and the units, as one package. `copies` lists what must be copied instead of linked.
{
  config,
  mkPackage,
  text,
}:
let
  inherit (text) quote;
  put = path: content: ''
    mkdir -p "$out/etc/${dirOf path}"
    printf %s ${quote content} > "$out/etc/${path}"
  '';
  files = map (
    path:
    put path config.etc.${path}.text
    + (
      if (config.etc.${path}.mode or null) != null then
        ''
          printf '%s %s\n' ${config.etc.${path}.mode} ${quote path} >> "$out/copies"
        ''
      else
        ""
    )
  ) (builtins.attrNames config.etc);
  units = map (
    name:
    put "systemd/system/${name}" config.units.${name}.text
    + text.concatMap (target: ''
      mkdir -p "$out/etc/systemd/system/${target}.wants"
      ln -s "../${name}" "$out/etc/systemd/system/${target}.wants/${name}"
    '') (config.units.${name}.wantedBy or [ ])
  ) (builtins.attrNames config.units);
in
mkPackage {
  name = "etc";
  script = ''
    mkdir -p "$out/etc"
    : > "$out/copies"
  ''
  + builtins.concatStringsSep "" (files ++ units);
}
