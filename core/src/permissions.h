/* permissions.h: may root trust this file? Pure: facts in, verdict out.
 *
 * Source: Azure's guide, step 4 ("Ensure the following permissions") and quiesce.conf(5), FILES AND PERMISSIONS. */
#ifndef QUIESCE_PERMISSIONS_H
#define QUIESCE_PERMISSIONS_H

#include "quiesce/error.h"
#include "quiesce/os.h"

enum qz_file_role { QZ_FILE_PLUGIN_HOST, QZ_FILE_CONFIG, QZ_FILE_PRE_SCRIPT, QZ_FILE_POST_SCRIPT };

/* Judges the file that was reached from `path` (borrowed by `error`) in the way that `facts` tell. Returns
 * QZ_E_SUCCESS, or the role's …NotFound (nothing, or no regular file, at the path) or Insufficient… code, with a
 * message that names the rule broken, the file or directory that breaks it, what it is and what it must be. */
enum qz_code qz_permissions_check(enum qz_file_role role, const char *path, const struct qz_path_facts *facts,
                                  struct qz_error *error);

#endif
