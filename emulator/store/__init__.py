"""What several machines share: a PostgreSQL database in the place of files in the state folder."""
