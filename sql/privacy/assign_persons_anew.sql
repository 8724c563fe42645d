SELECT affect_private.assign_persons_anew();
