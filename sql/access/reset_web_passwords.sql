-- Gives the web logins the password that this warehouse knows.
SELECT affect_private.reset_web_passwords();
