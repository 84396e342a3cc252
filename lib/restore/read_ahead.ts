/**
 * Hands out what `load` makes of each request, in order, while the next one is already being loaded. Two buffers take
 * turns: what was handed out may be used until the next one is asked for.
 */
export async function* readAhead<Request, Loaded>(
  requests: Iterable<Request>,
  load: (request: Request, buffer: Uint8Array) => Promise<Loaded>,
  bufferBytes: number,
): AsyncGenerator<Loaded, void, void> {
  let idle = new Uint8Array(bufferBytes);
  let busy = new Uint8Array(bufferBytes);
  let pending: Promise<Loaded> | undefined;
  try {
    for (const request of requests) {
      const ready = pending === undefined ? undefined : await pending;
      pending = load(request, idle);
      [idle, busy] = [busy, idle];
      pending.catch(() => {}); // It is awaited later; until then a failure is nobody's surprise.
      if (ready !== undefined) yield ready;
    }
    if (pending !== undefined) yield await pending;
  } finally {
    await pending?.catch(() => {}); // Whoever left early closes the files next.
  }
}
