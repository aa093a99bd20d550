PROFILE_VERSION=20150505
0-COMMENT=everything
0-PREFERENCE={ max_audit_log=65536 max_learning_entry=0 }
0-CONFIG={ mode=disabled grant_log=no reject_log=no }
1-COMMENT=confined
1-PREFERENCE={ max_audit_log=65536 max_learning_entry=0 }
1-CONFIG={ mode=disabled grant_log=no reject_log=no }
1-CONFIG::file::open={ mode=enforcing grant_log=no reject_log=yes }
1-CONFIG::file::ioctl={ mode=enforcing grant_log=no reject_log=yes }
