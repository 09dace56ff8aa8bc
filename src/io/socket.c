/* SPDX-License-Identifier: MIT */
/* socket.c - sockets that listen and sockets that connect. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <fibers/descriptor.h>
#include <fibers/socket.h>
#include "io/result.h"

struct address {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
                struct sockaddr_un local;
        };
        socklen_t length;
};

static void address_v4(struct address *address, struct in_addr host, uint16_t port)
{
        memset(address, 0, sizeof(*address));
        address->v4.sin_family = AF_INET;
        address->v4.sin_addr = host;
        address->v4.sin_port = htons(port);
        address->length = sizeof(address->v4);
}

static void address_v6(struct address *address, const struct in6_addr *host, uint16_t port)
{
        memset(address, 0, sizeof(*address));
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_addr = *host;
        address->v6.sin6_port = htons(port);
        address->length = sizeof(address->v6);
}

/* The name or number of an interface. */
static uint32_t scope_of(const char *text)
{
        uint32_t scope = if_nametoindex(text);
        char *end;

        if (scope)
                return scope;
        scope = (uint32_t)strtoul(text, &end, 10);
        return *end ? 0 : scope;
}

/* From numbers only: looking up a name would block. */
static int address_parse(struct address *address, const char *text, uint16_t port)
{
        const char *percent = strchr(text, '%');
        char copy[INET6_ADDRSTRLEN];
        struct in6_addr v6;
        struct in_addr v4;
        size_t length = percent ? (size_t)(percent - text) : strlen(text);

        if (length >= sizeof(copy))
                return -EINVAL;
        memcpy(copy, text, length);
        copy[length] = '\0';
        if (!percent && inet_pton(AF_INET, copy, &v4) == 1) {
                address_v4(address, v4, port);
                return 0;
        }
        if (inet_pton(AF_INET6, copy, &v6) != 1)
                return -EINVAL;
        address_v6(address, &v6, port);
        if (percent) {
                address->v6.sin6_scope_id = scope_of(percent + 1);
                if (!address->v6.sin6_scope_id)
                        return -EINVAL;
        }
        return 0;
}

static int address_local(struct address *address, const char *path)
{
        size_t length = path ? strlen(path) : 0;
        bool abstract = length && path[0] == '@';

        if (!length)
                return -EINVAL;
        /* A path's terminating byte counts; a name has none. */
        if (length + !abstract > sizeof(address->local.sun_path))
                return -ENAMETOOLONG;
        memset(address, 0, sizeof(*address));
        address->local.sun_family = AF_UNIX;
        memcpy(address->local.sun_path, path, length);
        if (abstract)
                address->local.sun_path[0] = '\0';
        address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
        return 0;
}

static int socket_new(int family)
{
        return (int)result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int socket_set(int fd, int level, int option, int value)
{
        return (int)result(setsockopt(fd, level, option, &value, sizeof(value)));
}

static int set_up_tcp(int fd, const struct address *address, const fib_listen_options *options)
{
        int r = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

        /* Linux hands it down to the connections that are accepted. */
        if (!r)
                r = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (!r && address->any.sa_family == AF_INET6)
                r = socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->only_v6);
        if (!r && options->reuse_port)
                r = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        return r;
}

static int listen_at(const struct address *address, const fib_listen_options *options)
{
        int fd = socket_new(address->any.sa_family);
        int r = 0;

        if (fd < 0)
                return fd;
        if (address->any.sa_family != AF_UNIX)
                r = set_up_tcp(fd, address, options);
        if (!r)
                r = (int)result(bind(fd, &address->any, address->length));
        if (!r)
                r = (int)result(listen(fd, options->backlog > 0 ? options->backlog : SOMAXCONN));
        if (!r)
                return fd;
        close(fd);
        return r;
}

static const fib_listen_options listen_defaults;

int fib_listen_tcp(const char *text, uint16_t port, const fib_listen_options *options)
{
        struct address address;
        int r;

        if (!options)
                options = &listen_defaults;
        if (text && *text) {
                r = address_parse(&address, text, port);
                return r < 0 ? r : listen_at(&address, options);
        }
        address_v6(&address, &in6addr_any, port);
        r = listen_at(&address, options);
        /* A machine without IPv6. */
        if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && !options->only_v6) {
                address_v4(&address, (struct in_addr){ htonl(INADDR_ANY) }, port);
                r = listen_at(&address, options);
        }
        return r;
}

/* A socket whose server is gone refuses connections.  Between this and the bind another server
 * may come; then one of the two binds gets EADDRINUSE. */
static void remove_left_behind(const struct address *address)
{
        struct stat status;
        int fd;

        if (!address->local.sun_path[0] || lstat(address->local.sun_path, &status) < 0 ||
            !S_ISSOCK(status.st_mode))
                return;
        fd = socket_new(AF_UNIX);
        if (fd < 0)
                return;
        if (result(connect(fd, &address->any, address->length)) == -ECONNREFUSED)
                unlink(address->local.sun_path);
        close(fd);
}

int fib_listen_unix(const char *path, const fib_listen_options *options)
{
        struct address address;
        int r = address_local(&address, path);

        if (r < 0)
                return r;
        if (!options)
                options = &listen_defaults;
        if (options->replace)
                remove_left_behind(&address);
        return listen_at(&address, options);
}

int fib_socket_port(int fd)
{
        struct address address;
        int r;

        address.length = sizeof(struct sockaddr_un);
        r = (int)result(getsockname(fd, &address.any, &address.length));
        if (r < 0)
                return r;
        switch (address.any.sa_family) {
        case AF_INET: return ntohs(address.v4.sin_port);
        case AF_INET6: return ntohs(address.v6.sin6_port);
        default: return -EAFNOSUPPORT;
        }
}

static int connect_to(const struct address *address)
{
        int fd = socket_new(address->any.sa_family);
        int r;

        if (fd < 0)
                return fd;
        if (address->any.sa_family != AF_UNIX)
                socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        r = fib_connect(fd, &address->any, address->length);
        if (!r)
                return fd;
        fib_close(fd);
        return r;
}

int fib_connect_tcp(const char *text, uint16_t port)
{
        struct address address;
        int r = address_parse(&address, text && *text ? text : "127.0.0.1", port);

        return r < 0 ? r : connect_to(&address);
}

int fib_connect_unix(const char *path)
{
        struct address address;
        int r = address_local(&address, path);

        return r < 0 ? r : connect_to(&address);
}
