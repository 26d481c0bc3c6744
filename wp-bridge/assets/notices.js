/** A dismissed notice stays away for this user, as long as its cause is the same. */
( () => {
	'use strict';

	document.addEventListener( 'click', ( event ) => {
		const key = event.target.closest?.( '.tillsync-notice .notice-dismiss' )?.closest( '[data-tillsync-cause]' )?.dataset.tillsyncCause;
		if ( key ) {
			// When it cannot be kept, the notice is simply there again on the next page.
			window.wp.apiFetch( { path: window.tillsyncNotices.path, method: 'POST', data: { key }, keepalive: true } ).catch( () => {} );
		}
	} );
} )();
