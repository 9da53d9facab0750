/**
 * The address of a socket: an IP address with a port, or the name of a Unix socket.
 *
 * - `address`: an IPv4 or IPv6 address in digits. Names of hosts are not looked up. An IPv4 address in IPv6 form, such as
 *   `"::ffff:10.0.0.1"`, is for sockets of the family `"inet6"`.
 * - `port`: 0 to 65535. {@link bind} lets the kernel choose a free port for 0.
 * - `scopeId`: of a link-local IPv6 address the number of the network device. Default: 0, none.
 * - `path`: a path of at most 108 bytes, which the current task looks up in its own root and working directory. A path that begins
 *   with a NUL byte is an abstract name, which belongs to the network namespace and to no file. An empty path is no name:
 *   a socket that was not bound has it, and {@link bind} lets the kernel choose an abstract name for it.
 *
 * @example
 * ```ts
 * const addresses: SocketAddress[] = [
 *   { address: "127.0.0.1", port: 8080 },
 *   { address: "fe80::1", port: 8080, scopeId: 2 },
 *   { path: "/run/service.sock" },
 *   { path: "\0service" },
 * ];
 * console.log(addresses.length); // 4
 * ```
 * @see ip(7), ipv6(7), unix(7)
 */
export type SocketAddress = { address: string; port: number; scopeId?: number } | { path: string | Buffer };
