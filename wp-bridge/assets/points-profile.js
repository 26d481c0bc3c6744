/**
 * The link of a shop customer on the profile screen. It calls the service only when a person presses a button.
 */
( () => {
	'use strict';

	const { namespace, words } = window.tillsyncProfile;
	const shared = window.tillsyncScreens;
	const { element, callsTo } = shared;

	const call = callsTo( namespace );
	const sentence = ( error ) => shared.sentence( error, words );

	const setUp = ( place ) => {
		const path = `customers/${ place.dataset.user }/link`;
		const content = element( 'div' );
		const message = element( 'p', { className: 'tillsync-message' } );
		message.setAttribute( 'role', 'status' );

		// A button runs one request at a time, and keeps the focus meanwhile.
		const busy = async ( button, work ) => {
			if ( button.getAttribute( 'aria-disabled' ) === 'true' ) {
				return;
			}
			button.setAttribute( 'aria-disabled', 'true' );
			message.textContent = words.loading;
			try {
				message.textContent = ( await work() ) || '';
			} catch ( error ) {
				message.textContent = sentence( error );
			} finally {
				button.removeAttribute( 'aria-disabled' );
			}
		};

		const line = ( found, ...more ) => {
			const title = [ found.id, found.name, found.email ].filter( Boolean ).join( ' · ' );
			const facts = [ [ words.card, found.card ], [ words.points, found.points ], [ words.balance, found.balance ], [ words.since, ( found.sign_up_date || '' ).slice( 0, 10 ) ] ]
				.filter( ( [ , value ] ) => value )
				.map( ( [ name, value ] ) => `${ name }: ${ value }` )
				.join( ' · ' );
			return element( 'li', {}, element( 'strong', { textContent: title } ), element( 'br' ), facts, ' ', ...more );
		};

		const showLink = ( link ) => {
			const unlink = element( 'button', { type: 'button', className: 'button-link button-link-delete', textContent: words.unlink } );
			unlink.addEventListener( 'click', () => {
				// eslint-disable-next-line no-alert
				if ( window.confirm( words.sure ) ) {
					busy( unlink, async () => {
						const { said } = await call( path, 'DELETE' );
						showSearch();
						content.querySelector( 'input' ).focus();
						return said;
					} );
				}
			} );
			const found = link.customer || { id: link.epos_customer_id };
			const how = [ link.origin, link.since ].filter( Boolean ).join( ', ' );
			content.replaceChildren(
				element( 'p', { textContent: link.usable ? words.linked : words.broken } ),
				element( 'ul', { className: 'tillsync-found' }, line( found, how ? `(${ how }) ` : '', unlink ) )
			);
			return unlink;
		};

		const showSearch = () => {
			const field = element( 'input', { type: 'search', id: `tillsync-profile-search-${ place.dataset.user }`, maxLength: 254 } );
			const find = element( 'button', { type: 'button', className: 'button', textContent: words.find } );
			const list = element( 'ul', { className: 'tillsync-found' } );
			const go = () =>
				field.value.trim() !== '' &&
				busy( find, async () => {
					const { customers, truncated } = await call( `till-customers?query=${ encodeURIComponent( field.value.trim() ) }` );
					list.replaceChildren( ...customers.map( candidate ) );
					return customers.length === 0 ? words.none : truncated ? words.more : '';
				} );
			find.addEventListener( 'click', go );
			// The panel is inside the profile's form, so Enter must not save the profile.
			field.addEventListener( 'keydown', ( event ) => {
				if ( event.key === 'Enter' ) {
					event.preventDefault();
					go();
				}
			} );
			content.replaceChildren(
				element( 'p', { textContent: words.unlinked } ),
				element( 'label', { htmlFor: field.id, textContent: words.search } ),
				element( 'div', { className: 'tillsync-search' }, field, find ),
				list
			);
		};

		const candidate = ( found ) => {
			if ( found.linked_user_id !== '' && found.linked_user_id !== '0' && found.linked_user_id !== place.dataset.user ) {
				return line( found, `(${ words.taken })` );
			}
			const choose = element( 'button', { type: 'button', className: 'button button-small', textContent: words.link } );
			choose.setAttribute( 'aria-label', `${ words.link }: ${ found.id } ${ found.name }` );
			choose.addEventListener( 'click', () =>
				busy( choose, async () => {
					const { link, said } = await call( path, 'POST', { epos_customer_id: found.id } );
					show( link );
					return said;
				} )
			);
			return line( found, choose );
		};

		const show = ( link ) => {
			if ( link ) {
				showLink( link ).focus();
			} else {
				showSearch();
				content.querySelector( 'input' ).focus();
			}
		};

		const opener = place.querySelector( '.tillsync-profile-show' );
		place.append( content, message );
		opener.addEventListener( 'click', () =>
			busy( opener, async () => {
				const { link } = await call( path );
				opener.hidden = true;
				show( link );
			} )
		);
	};

	const start = () => document.querySelectorAll( '.tillsync-profile-link' ).forEach( setUp );
	if ( document.readyState === 'loading' ) {
		document.addEventListener( 'DOMContentLoaded', start );
	} else {
		start();
	}
} )();
