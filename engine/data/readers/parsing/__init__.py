"""What readers share: text and Parquet tables, ids, times, features, item tables, assembly."""
