-- Back to the memory of an ordinary statement.
RESET work_mem;
