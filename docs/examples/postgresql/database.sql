CREATE ROLE voice LOGIN PASSWORD 'choose-a-long-one';
CREATE DATABASE voice OWNER voice;
