mod bodies;
