{ roles, ... }:
{
  imports = [
    (roles.web {
      greeter = "1.0";
      text = "hello from web1";
    })
    (roles.motd "web1 serves the web")
  ];
}
