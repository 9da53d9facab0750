// The entry for tsx, which compiles the types and `using` away. tsx takes "./smoke.mjs" for a file smoke.mts, hence this name.
import { type FileDescriptor, openat2 } from "@nearfar/core";

let fd: FileDescriptor;
{
	using file = openat2("/dev/null");
	fd = file;
}
if (!fd.closed) throw new Error("`using` has not closed the descriptor");

await import("./smoke.mjs");
