{ roles, ... }:
{
  imports = [
    (roles.web {
      greeter = "1.0";
      text = "hello from web2";
    })
    (roles.motd "web2 serves the web")
  ];
}
