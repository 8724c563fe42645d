SELECT affect.ensure_month_partitions(%(table)s, %(months)s::date []);
