"""The report as one page: data in, HTML text out."""
