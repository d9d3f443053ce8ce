"""What `make bench-send` is held against: libcurl's multi interface posting bytes from a file.

`python -m bench.libcurl URL FILE CONCURRENCY` prints requests per second. No gate, no record, not
even the care for a request that libcurl would repeat by itself: only as fast as it goes.
"""

import sys
import time
from pathlib import Path

import pycurl


def main(url: str, path: str, concurrency: int) -> None:
    """Post every line of the file and print the speed."""
    bodies = Path(path).read_bytes().splitlines()
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
    answers: dict[pycurl.Curl, list[bytes]] = {}
    for _ in range(concurrency):
        curl = pycurl.Curl()
        answers[curl] = []
        curl.setopt(pycurl.URL, url)
        curl.setopt(
            pycurl.HTTPHEADER,
            [
                "Expect:",
                "Authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzZWNyZXQ=",
                "Content-Type: application/x-www-form-urlencoded",
            ],
        )
        curl.setopt(pycurl.WRITEFUNCTION, answers[curl].append)
    began = time.perf_counter()
    free, waiting, done = list(answers), iter(bodies), 0
    while done < len(bodies):
        while free and (body := next(waiting, None)) is not None:
            curl = free.pop()
            answers[curl].clear()
            curl.setopt(pycurl.POSTFIELDS, body)
            multi.add_handle(curl)
        multi.perform()
        queued = 1
        ended = 0
        while queued:
            queued, good, bad = multi.info_read(concurrency)
            if bad:
                raise RuntimeError(bad[0][2])
            for curl in good:
                if curl.getinfo(pycurl.RESPONSE_CODE) != 201:
                    raise RuntimeError(curl.getinfo(pycurl.RESPONSE_CODE))
                multi.remove_handle(curl)
                free.append(curl)
                ended += 1
        done += ended
        if not ended:
            multi.select(0.05)
    print(len(bodies) / (time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
