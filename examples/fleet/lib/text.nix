# Small functions on strings.
rec {
  concatMap = f: list: builtins.concatStringsSep "" (map f list);
  lines = list: concatMap (line: line + "\n") list;

  # A string as one word of a POSIX shell, whatever is in it.
  quote = string: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] string + "'";

  hasSuffix =
    suffix: string:
    let
      length = builtins.stringLength string;
      suffixLength = builtins.stringLength suffix;
    in
    length >= suffixLength && builtins.substring (length - suffixLength) suffixLength string == suffix;

  removeSuffix =
    suffix: string:
    if hasSuffix suffix string then
      builtins.substring 0 (builtins.stringLength string - builtins.stringLength suffix) string
    else
      string;
}
