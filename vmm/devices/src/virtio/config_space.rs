//! Reading a device's configuration space.

/// Copy what `config` has at `offset` into `data`; bytes past its end stay as they are (0).
pub fn read(config: &[u8], offset: u64, data: &mut [u8]) {
    let Some(present) = usize::try_from(offset)
        .ok()
        .and_then(|start| config.get(start..))
    else {
        return;
    };
    for (to, from) in data.iter_mut().zip(present) {
        *to = *from;
    }
}
