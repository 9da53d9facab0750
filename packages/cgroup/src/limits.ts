/**
 * The limits of a cgroup. A part that is absent is left as it is. `"max"` takes a limit away.
 *
 * @see "Controllers" in the kernel's admin-guide/cgroup-v2
 */
export interface CgroupLimits {
	/** The memory of all processes together: their own, that of the kernel for them, and their part of the page cache. */
	memory?: MemoryLimits;
	/** The most processes and threads, 0 to 4194304. A clone above it is `EAGAIN`. Moving a process into the group is not checked. */
	pids?: number | "max";
	/** The time on the processors. */
	cpu?: CpuLimits;
	/** The processors and memory nodes that are used. An empty text: those of the group above. */
	cpuset?: CpusetLimits;
}

/** Limits of memory, in bytes from 4096. The kernel rounds them down to whole pages. */
export interface MemoryLimits {
	/**
	 * The most memory. Above it the kernel reclaims, and then kills a process of the group. Without `swapMax`, a number also sets
	 * `swapMax` to 0 on kernels with swap: otherwise the group could have more than this. `"max"` leaves `swapMax` as it is.
	 */
	max?: number | "max";
	/** Above it the kernel slows the processes down and reclaims, and kills nothing. */
	high?: number | "max";
	/** As long as the group has less than this, its memory is reclaimed last. 0, or from 4096. */
	low?: number;
	/** As long as the group has less than this, its memory is never reclaimed. 0, or from 4096. */
	min?: number;
	/** The most swap. 0: none, or from 4096. */
	swapMax?: number | "max";
	/** Whether all processes of the group are killed together when memory runs out. Default of the kernel: false, one is killed. */
	oomGroup?: boolean;
}

/** Limits of the time on the processors. */
export interface CpuLimits {
	/** How many processors the group may use at most, as 1.5: from 0.01 to 1000000, in periods of 100 ms. */
	max?: number | "max";
	/** The share of the group where groups compete, 1 to 10000. Default of the kernel: 100. Absent in what is read of an idle group. */
	weight?: number;
	/** Whether the group runs only when nothing else does (Linux 5.15). A weight is then refused: `EINVAL`. */
	idle?: boolean;
}

/** Processors and memory nodes, in the kernel's format, such as `"0-3,8"`. */
export interface CpusetLimits {
	/** The processors. */
	cpus?: string;
	/** The memory nodes. */
	mems?: string;
}
