//! Bodies of requests and responses: nothing, bytes, or a stream.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The body of a request or a response.
///
/// What comes in is a stream that is read as it arrives; what goes out may be one too. It is an
/// [`http_body::Body`], so the adapters of `http-body-util` work on it.
///
/// ```
/// use wfh::{Body, Response};
///
/// let whole = Response::new(Body::from("hello"));
/// let nothing = Response::new(Body::empty());
/// ```
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>),
}

impl Body {
    /// No body at all.
    ///
    /// ```
    /// use http_body::Body as _;
    /// assert!(wfh::Body::empty().is_end_stream());
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A value as JSON. Set the content type yourself, or answer with [`Json`](crate::Json).
    ///
    /// # Errors
    /// When the value is none that JSON can hold.
    ///
    /// ```
    /// let body = wfh::Body::json(&[1, 2])?;
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(Self::from)
    }

    /// A body that is sent piece by piece, as the stream yields.
    ///
    /// An error of the stream breaks the body off: the other side sees that it is not whole.
    ///
    /// ```
    /// use futures_util::stream;
    /// use wfh::Body;
    ///
    /// let ticks = stream::iter(1..=3).map(|n| Ok::<_, std::io::Error>(format!("{n}\n")));
    /// let body = Body::from_stream(ticks);
    /// # use futures_util::StreamExt as _;
    /// ```
    pub fn from_stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self::stream(FromStream(Box::pin(stream)))
    }

    /// A body of another crate.
    ///
    /// ```
    /// use wfh::Body;
    ///
    /// let inner = Body::from("any http_body::Body with Bytes");
    /// let body = Body::new(inner);
    /// ```
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self::stream(Boxed(Box::pin(body)))
    }

    pub(crate) fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + 'static) -> Self {
        Self(Kind::Stream(Box::pin(body)))
    }

    /// The next piece, or `None` at the end. Trailers are passed over.
    ///
    /// # Errors
    /// When the body broke off.
    ///
    /// ```
    /// # use wfh::{Body, BodyError};
    /// async fn length(mut body: Body) -> Result<usize, BodyError> {
    ///     let mut bytes = 0;
    ///     while let Some(piece) = body.chunk().await? {
    ///         bytes += piece.len();
    ///     }
    ///     Ok(bytes)
    /// }
    /// # assert_eq!(wfh::test::Host::new().run(length("four".into())).unwrap(), 4);
    /// ```
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut body = Pin::new(self);
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All of it. The host bounds a request's body (`body_bytes_max`) and the function's memory;
    /// for the answers of others, [`limited`](Self::limited) sets a bound.
    ///
    /// # Errors
    /// When the body broke off.
    ///
    /// ```
    /// # use wfh::{Body, BodyError};
    /// async fn text(body: Body) -> Result<String, BodyError> {
    ///     Ok(String::from_utf8_lossy(&body.bytes().await?).into_owned())
    /// }
    /// # assert_eq!(wfh::test::Host::new().run(text("four".into())).unwrap(), "four");
    /// ```
    pub async fn bytes(self) -> Result<Bytes, BodyError> {
        self.limited(usize::MAX).await
    }

    /// All of it, if it has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When it has more, or when it broke off.
    ///
    /// ```
    /// # use wfh::{Body, BodyError};
    /// # async fn example(body: Body) -> Result<(), BodyError> {
    /// let bytes = body.limited(64 * 1024).await?;
    /// # Ok(()) }
    /// # wfh::test::Host::new().run(example("four".into())).unwrap();
    /// # assert!(wfh::test::Host::new().run(Body::from("four").limited(3)).is_err());
    /// ```
    pub async fn limited(mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        within(first.len(), bytes_max)?;
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(piece) = next {
            within(all.len().saturating_add(piece.len()), bytes_max)?;
            all.extend_from_slice(&piece);
            next = self.chunk().await?;
        }
        Ok(all.freeze())
    }

    /// All of it, read as JSON. What does not parse is a [`Reject`](crate::Reject): 422 for a
    /// caller over HTTP.
    ///
    /// # Errors
    /// When the body broke off, or is not the JSON that `T` is read from.
    ///
    /// ```
    /// # use wfh::Body;
    /// async fn sum(body: Body) -> wfh::Result<u32> {
    ///     Ok(body.read_json::<Vec<u32>>().await?.into_iter().sum())
    /// }
    /// # assert_eq!(wfh::test::Host::new().run(sum("[1, 2]".into())).unwrap(), 3);
    /// # assert!(wfh::test::Host::new().run(sum("1".into())).unwrap_err().is_rejection());
    /// ```
    pub async fn read_json<T: DeserializeOwned>(self) -> crate::Result<T> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            crate::Reject::new(format_args!("the body is not what was expected: {error}")).into()
        })
    }
}

fn within(bytes: usize, bytes_max: usize) -> Result<(), BodyError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(BodyError::new(format!("the body has more than {bytes_max} bytes")))
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Stream(body) => body.as_mut().poll_frame(cx),
            Kind::Whole(bytes) => {
                let frame = Frame::data(std::mem::take(bytes));
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Whole(_) => false,
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Whole(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(if bytes.is_empty() { Kind::Empty } else { Kind::Whole(bytes) })
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

struct FromStream<S>(Pin<Box<S>>);

impl<S, B, E> HttpBody for FromStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.as_mut().poll_next(cx).map(|item| {
            item.map(|piece| piece.map(|data| Frame::data(data.into())).map_err(BodyError::new))
        })
    }
}

struct Boxed<B>(Pin<Box<B>>);

impl<B> HttpBody for Boxed<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = pin!(&mut self.0).get_mut().as_mut().poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(BodyError::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A body broke off, or was longer than it may be.
///
/// ```
/// let error = wfh::test::Host::new().run(wfh::Body::from("four").limited(3)).unwrap_err();
/// assert_eq!(error.to_string(), "the body has more than 3 bytes");
/// ```
#[derive(Debug)]
pub struct BodyError(Box<dyn StdError + Send + Sync>);

impl BodyError {
    pub(crate) fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for BodyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
