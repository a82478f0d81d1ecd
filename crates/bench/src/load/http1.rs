//! One HTTP/1.1 connection with just what the measurement needs: send prepared bytes, read the whole answer.

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Bytes of head and body.
    pub bytes: u64,
    /// Whether the server closes the connection now.
    pub closes: bool,
}

/// A keep-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// How the end of a body is found.
enum Length {
    Known(usize),
    Chunked,
}

struct Head {
    status: u16,
    length: Length,
    closes: bool,
}

const READ_SIZE: usize = 64 * 1024;
const LARGEST_HEAD: usize = 64 * 1024;

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| anyhow::anyhow!("connect: {}", error.kind()))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(READ_SIZE) })
    }

    /// Sends a request and reads its answer; the body is counted and thrown away.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let (head, start) = self.send(request).await?;
        let end = self.read_body(&head, start).await?;
        Ok(Answer { status: head.status, bytes: end as u64, closes: head.closes })
    }

    /// Sends a request and returns the body of its answer, which must be a success with a known length.
    pub async fn fetch(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (head, start) = self.send(request).await?;
        let end = self.read_body(&head, start).await?;
        let body = self.buffer[start..end].to_vec();
        if !(200..300).contains(&head.status) {
            bail!("the server answered {}: {}", head.status, String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    async fn send(&mut self, request: &[u8]) -> anyhow::Result<(Head, usize)> {
        self.buffer.clear();
        self.stream.write_all(request).await.map_err(|error| anyhow::anyhow!("write: {}", error.kind()))?;
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.buffer[searched..], b"\r\n\r\n") {
                let end = searched + at + 4;
                return Ok((parse_head(&self.buffer[..end])?, end));
            }
            searched = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > LARGEST_HEAD {
                bail!("an answer without the end of its head");
            }
            self.fill().await?;
        }
    }

    /// Reads until the body is complete; returns where it ends in the buffer.
    async fn read_body(&mut self, head: &Head, start: usize) -> anyhow::Result<usize> {
        match head.length {
            Length::Known(length) => {
                while self.buffer.len() < start + length {
                    self.fill().await?;
                }
                Ok(start + length)
            }
            Length::Chunked => loop {
                // Only the last chunk is followed by an empty line after a zero; the body itself is JSON.
                if self.buffer[start..].starts_with(b"0\r\n\r\n") || self.buffer.ends_with(b"\r\n0\r\n\r\n") {
                    return Ok(self.buffer.len());
                }
                self.fill().await?;
            },
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await;
        match read.map_err(|error| anyhow::anyhow!("read: {}", error.kind()))? {
            0 => bail!("the server closed the connection"),
            _ => Ok(()),
        }
    }
}

fn parse_head(bytes: &[u8]) -> anyhow::Result<Head> {
    let text = std::str::from_utf8(bytes).context("a head that is no text")?;
    let mut lines = text.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).context("an answer without a status")?;
    let status = status.parse().context("an answer without a status")?;
    let mut head = Head { status, length: Length::Known(0), closes: false };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = Length::Known(value.parse().context("a length that is no number")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            head.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            head.closes = true;
        }
    }
    Ok(head)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
