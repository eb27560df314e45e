select weir.rebuilt('event_search');
