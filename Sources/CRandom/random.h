// getrandom(2), which Swift's Glibc module does not show.
#include <sys/random.h>
