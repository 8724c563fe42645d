-- Whether policies decide which rows of a table this login may write.
SELECT row_security_active(:table);
