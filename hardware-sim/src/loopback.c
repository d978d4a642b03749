/* vpcd binds 0.0.0.0 without authentication: a stranger who reaches the port can act as the card. Preloaded into our private
   pcscd, this keeps every IPv4 listener on 127.0.0.1. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
int bind(int fd, const struct sockaddr *address, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in inet;
    if (length == sizeof inet && address->sa_family == AF_INET) {
        memcpy(&inet, address, sizeof inet);
        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return real(fd, (const struct sockaddr *)&inet, sizeof inet);
    }
    return real(fd, address, length);
}
