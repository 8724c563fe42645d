SELECT affect.ensure_month_partitions(:table, cast(:months AS date[]));
