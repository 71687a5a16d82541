"""The dashboard: pages and charts; no maths."""
