"""The vendor's data export, played: who gets what when, and the files, images and mails themselves."""
