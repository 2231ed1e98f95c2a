# Modules: functions of { config, name, … } or plain sets. Sets are merged, lists are joined. A module overrides what it
# imports; two modules that are imported side by side must agree.
rec {
  mergeWith =
    onConflict: path: a: b:
    if builtins.isAttrs a && builtins.isAttrs b && !(a ? outPath) && !(b ? outPath) then
      a
      // builtins.mapAttrs (
        key: value: if a ? ${key} then mergeWith onConflict (path ++ [ key ]) a.${key} value else value
      ) b
    else if builtins.isList a && builtins.isList b then
      a ++ b
    else if a == b then
      a
    else
      onConflict path a b;

  strict = mergeWith (
    path: _: _:
    throw "two modules set ${builtins.concatStringsSep "." path} to different values"
  ) [ ];
  override = mergeWith (
    _: _: b:
    b
  ) [ ];

  # The set that a module comes to, with everything that it imports.
  resolve =
    args: module:
    let
      own = if builtins.isFunction module then module args else module;
      imported = builtins.foldl' strict { } (map (resolve args) (own.imports or [ ]));
    in
    override imported (removeAttrs own [ "imports" ]);

  mergeAll =
    {
      args,
      modules,
      defaults,
    }:
    let
      merged = builtins.foldl' strict { } (map (resolve args) modules);
      unknown = builtins.filter (key: !(defaults ? ${key})) (builtins.attrNames merged);
    in
    if unknown != [ ] then
      throw "the option ${builtins.head unknown} does not exist"
    else
      override defaults merged;
}
