// placeholder, replaced by the shim
#include <hiredis/hiredis.h>
