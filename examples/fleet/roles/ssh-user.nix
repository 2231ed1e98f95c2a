# A person who may log in. With `uid = 0` they are another name of root.
{
  name,
  key,
  uid ? null,
}:
{
  groups = if uid == 0 then { } else { ${name} = { }; };
  users.${name} = {
    group = if uid == 0 then "root" else name;
    home = "/home/${name}";
    createHome = true;
    shell = "/bin/sh";
    description = "May log in over SSH";
    authorizedKeys = [ key ];
  }
  // (if uid == null then { } else { inherit uid; });
}
