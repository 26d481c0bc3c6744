/**
 * The block in the editor: an example, since the person who edits the page is not the one who sees it.
 */
( ( blocks, blockEditor, element, i18n ) => {
	'use strict';

	const { __, sprintf } = i18n;

	blocks.registerBlockType( 'tillsync/points', {
		edit: () =>
			element.createElement(
				'div',
				blockEditor.useBlockProps(),
				/* translators: %s: number of points */
				element.createElement( 'p', null, sprintf( __( 'Your points: %s', 'tillsync-bridge' ), '120' ) ),
				element.createElement( 'p', null, __( 'Example: each shopper sees their own.', 'tillsync-bridge' ) )
			),
		save: () => null,
	} );
} )( window.wp.blocks, window.wp.blockEditor, window.wp.element, window.wp.i18n );
