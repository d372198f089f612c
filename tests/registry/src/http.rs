//! HTTP/1.1, just enough of it.

use std::io::{self, BufRead, Read, Write};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The header.
    pub authorization: Option<String>,
    /// The header.
    pub range: Option<String>,
    /// The body.
    pub body: String,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn plain(status: u16, headers: Vec<(&'static str, String)>) -> Answer {
    Answer {
        status,
        headers,
        body: Vec::new(),
    }
}

pub(crate) fn found(blob: Option<&Vec<u8>>, request: &Request, ranges: bool) -> Answer {
    let Some(blob) = blob else {
        return plain(404, Vec::new());
    };
    let from = request.range.as_deref().filter(|_| ranges);
    let from = from.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let Some(from) = from.and_then(|from| from.parse::<usize>().ok()) else {
        let mut answer = plain(200, Vec::new());
        answer.body.clone_from(blob);
        return answer;
    };
    let Some(rest) = blob.get(from..).filter(|rest| !rest.is_empty()) else {
        return plain(416, Vec::new());
    };
    let range = format!("bytes {from}-{}/{}", blob.len() - 1, blob.len());
    let mut answer = plain(206, vec![("Content-Range", range)]);
    answer.body = rest.to_vec();
    answer
}

pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request {
        path,
        authorization: None,
        range: None,
        body: String::new(),
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? <= 2 {
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => request.authorization = Some(value.to_owned()),
            "range" => request.range = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    stream.take(length).read_to_string(&mut request.body)?;
    Ok(request)
}

/// Writes an answer, and at most so many bytes of its body.
pub(crate) fn write(stream: &mut impl Write, answer: &Answer, bytes: usize) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len()));
    stream.write_all(head.as_bytes())?;
    let end = answer.body.len().min(bytes);
    stream.write_all(answer.body.get(..end).unwrap_or_default())?;
    stream.flush()
}
