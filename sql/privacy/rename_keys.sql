SELECT affect_private.rename_keys(:columns_named, :old_keys, :new_keys);
