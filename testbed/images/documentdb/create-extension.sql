create extension documentdb cascade;
