/**
 * The panel of the order screen: "Match again" and the steps of "Wrong customer?". It calls the service only when a person presses a
 * button.
 */
( () => {
	'use strict';

	const { namespace, words } = window.tillsyncOrder;
	const shared = window.tillsyncScreens;
	const { element, callsTo } = shared;
	const POLL_TIMES = [ 2000, 3000, 5000, 10000, 15000, 15000, 15000 ];

	const call = callsTo( namespace );
	const sentence = ( error ) => shared.sentence( error, words );

	const setUp = ( panel ) => {
		const box = panel.parentElement;
		const order = panel.dataset.order;
		const matchButton = box.querySelector( '.tillsync-match' );
		const wrongButton = box.querySelector( '.tillsync-wrong' );
		const wrongBox = box.querySelector( '.tillsync-wrong-box' );
		if ( ! matchButton ) {
			return;
		}
		const message = element( 'p', { className: 'tillsync-message' } );
		message.setAttribute( 'role', 'status' );
		panel.after( message );
		let polls = 0;
		// Values of the last answer: whether the order is a guest's, and the till customer of the shopper's link.
		let isGuest = false;
		let linkedTo = '';

		const show = ( answer ) => {
			panel.innerHTML = answer.html;
			message.textContent = answer.hint;
			return answer.settled;
		};

		const follow = () => {
			if ( polls >= POLL_TIMES.length ) {
				return;
			}
			window.setTimeout( async () => {
				if ( document.hidden ) {
					document.addEventListener( 'visibilitychange', follow, { once: true } );
					return;
				}
				try {
					if ( ! show( await call( `orders/${ order }/look`, 'POST' ) ) ) {
						follow();
					}
				} catch ( error ) {
					message.textContent = sentence( error );
				}
			}, POLL_TIMES[ polls++ ] );
		};

		// A button runs one request at a time, and keeps the focus meanwhile.
		const busy = async ( button, work ) => {
			if ( button.getAttribute( 'aria-disabled' ) === 'true' ) {
				return;
			}
			button.setAttribute( 'aria-disabled', 'true' );
			message.textContent = words.loading;
			try {
				await work();
			} catch ( error ) {
				message.textContent = sentence( error );
			} finally {
				button.removeAttribute( 'aria-disabled' );
			}
		};

		const run = ( button, path, data ) =>
			busy( button, async () => {
				polls = 0;
				if ( ! show( await call( path, 'POST', data ) ) ) {
					follow();
				}
			} );

		const customer = ( found, action ) => {
			const facts = [ [ words.card, found.card ], [ words.points, found.points ], [ words.balance, found.balance ], [ words.since, found.sign_up_date.slice( 0, 10 ) ] ]
				.filter( ( [ , value ] ) => value !== '' )
				.map( ( [ name, value ] ) => `${ name }: ${ value }` )
				.join( ' · ' );
			const title = [ `${ found.id }`, found.name, found.email ].filter( Boolean ).join( ' · ' );
			return element( 'li', {}, element( 'strong', { textContent: title } ), element( 'br' ), facts, ' ', action );
		};

		const showLink = ( { guest, link } ) => {
			isGuest = guest;
			linkedTo = link ? link.epos_customer_id : '';
			const shown = wrongBox.querySelector( '.tillsync-link' );
			shown.replaceChildren();
			if ( ! link ) {
				shown.append( element( 'p', { textContent: guest ? words.guest : words.unlinked } ) );
				return;
			}
			const unlink = element( 'button', { type: 'button', className: 'button-link button-link-delete', textContent: words.unlink } );
			unlink.addEventListener( 'click', () =>
				busy( unlink, async () => {
					showLink( await call( `orders/${ order }/unlink`, 'POST' ) );
					message.textContent = words.unlinked;
					wrongBox.querySelector( 'input' ).focus();
				} )
			);
			const found = link.customer || { id: link.epos_customer_id, name: '', email: '', card: '', points: '', balance: '', sign_up_date: '' };
			shown.append( element( 'p', { textContent: link.usable ? words.linked : words.broken } ), element( 'ul', {}, customer( found, unlink ) ) );
		};

		const search = ( button, query, list ) =>
			busy( button, async () => {
				const { customers, truncated } = await call( `till-customers?query=${ encodeURIComponent( query ) }` );
				list.replaceChildren(
					...customers.map( ( found ) => {
						const choose = element( 'button', { type: 'button', className: 'button button-small', textContent: words.choose } );
						choose.setAttribute( 'aria-label', `${ words.choose }: ${ found.id } ${ found.name }` );
						choose.addEventListener( 'click', () =>
							busy( choose, async () => {
								polls = 0;
								const settled = show( await call( `orders/${ order }/customer`, 'POST', { epos_customer_id: found.id } ) );
								showLink( await call( `orders/${ order }/link` ) );
								if ( ! settled ) {
									follow();
								}
							} )
						);
						const linked = found.linked_user_id !== '' && found.linked_user_id !== '0' && found.id !== linkedTo;
						// A shopper cannot be linked to another shopper's till customer. A guest's order may go to any till customer.
						return customer( found, element( 'span', {}, linked ? `(${ words.taken }) ` : '', ...( linked && ! isGuest ? [] : [ choose ] ) ) );
					} )
				);
				message.textContent = customers.length === 0 ? words.none : truncated ? words.more : '';
			} );

		const openWrong = () => {
			const field = element( 'input', { type: 'search', id: `tillsync-search-${ order }`, maxLength: 254 } );
			const find = element( 'button', { type: 'button', className: 'button', textContent: words.find } );
			const list = element( 'ul', { className: 'tillsync-found' } );
			const again = element( 'button', { type: 'button', className: 'button', textContent: words.again } );
			const go = () => field.value.trim() !== '' && search( find, field.value.trim(), list );
			find.addEventListener( 'click', go );
			// The panel is inside the order's form, so Enter must not save the order.
			field.addEventListener( 'keydown', ( event ) => {
				if ( event.key === 'Enter' ) {
					event.preventDefault();
					go();
				}
			} );
			again.addEventListener( 'click', () => run( again, `orders/${ order }/match` ) );
			wrongBox.replaceChildren(
				element( 'p', { className: 'description', textContent: words.stays } ),
				element( 'div', { className: 'tillsync-link' } ),
				element( 'label', { htmlFor: field.id, textContent: words.search } ),
				element( 'div', { className: 'tillsync-search' }, field, find ),
				list,
				again
			);
		};

		matchButton.addEventListener( 'click', () => run( matchButton, `orders/${ order }/match` ) );
		wrongButton.addEventListener( 'click', () => {
			const opens = wrongBox.hidden;
			wrongBox.hidden = ! opens;
			wrongButton.setAttribute( 'aria-expanded', String( opens ) );
			if ( opens ) {
				openWrong();
				busy( wrongButton, async () => {
					showLink( await call( `orders/${ order }/link` ) );
					message.textContent = '';
				} );
			}
		} );
	};

	const start = () => document.querySelectorAll( '.tillsync-panel' ).forEach( setUp );
	if ( document.readyState === 'loading' ) {
		document.addEventListener( 'DOMContentLoaded', start );
	} else {
		start();
	}
} )();
