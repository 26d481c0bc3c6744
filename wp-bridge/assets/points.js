/**
 * Fills the places for points. One request for all places of a page; no points: the places go.
 */
( () => {
	'use strict';

	const { url, nonce, renew, loading, failed } = window.tillsyncPoints;

	const ask = ( withNonce ) =>
		fetch( url, { method: 'POST', credentials: 'same-origin', cache: 'no-store', headers: { 'X-WP-Nonce': withNonce, Accept: 'application/json' } } );

	// A page that was open, or kept by a cache, for longer than a nonce lives: WordPress gives a new one to whoever is still logged in.
	const askWithFreshNonce = async () => {
		const given = await fetch( renew, { credentials: 'same-origin', cache: 'no-store' } );
		const fresh = given.ok ? ( await given.text() ).trim() : '';
		return /^[0-9a-f]{10}$/.test( fresh ) ? ask( fresh ) : null;
	};

	const load = async () => {
		let answer = await ask( nonce );
		if ( answer.status === 403 || answer.status === 401 ) {
			answer = ( await askWithFreshNonce() ) ?? answer;
		}
		// Logged out meanwhile, or points switched off: nothing to say.
		if ( answer.status === 401 || answer.status === 403 ) {
			return '';
		}
		if ( ! answer.ok ) {
			throw new Error( String( answer.status ) );
		}
		return ( await answer.json() ).html.trim();
	};

	const start = async () => {
		const places = [ ...document.querySelectorAll( '[data-tillsync-points]' ) ];
		if ( places.length === 0 ) {
			return;
		}
		places.forEach( ( place ) => {
			place.setAttribute( 'aria-busy', 'true' );
			place.textContent = loading;
		} );
		let html = '';
		try {
			html = await load();
		} catch {
			places.forEach( ( place ) => {
				place.removeAttribute( 'aria-busy' );
				place.textContent = failed;
			} );
			return;
		}
		places.forEach( ( place ) => {
			place.removeAttribute( 'aria-busy' );
			place.innerHTML = html;
			place.hidden = html === '';
		} );
	};

	if ( document.readyState === 'loading' ) {
		document.addEventListener( 'DOMContentLoaded', start );
	} else {
		start();
	}
} )();
