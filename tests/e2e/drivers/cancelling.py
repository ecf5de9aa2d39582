"""What Python's drivers share."""
import contextlib
import threading


@contextlib.contextmanager
def cancelling(cancel):
    """Cancels from another thread while the block runs: more than once, for the first may come before the query."""
    done = threading.Event()

    def again():
        while not done.wait(0.3):
            cancel()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
